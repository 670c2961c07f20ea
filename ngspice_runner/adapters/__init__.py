"""The harness under the call signatures of other libraries: PySpice's simulator, spicelib's runner, vlsirtools' sim."""
