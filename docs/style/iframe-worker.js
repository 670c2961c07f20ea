// Pages opened from a folder (file:) may not start workers, and the search runs in one. Here a worker is a hidden frame that shares
// the page's origin; messages go both ways as they would with a real one.
if (location.protocol === "file:" && !("IFrameWorker" in window)) {
  window.IFrameWorker = class extends EventTarget {
    constructor(address) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.appendChild(frame);
      const inside = frame.contentWindow;
      // what the worker's script calls to answer the page
      inside.postMessage = data => setTimeout(() => this.dispatchEvent(new MessageEvent("message", {data})));
      inside.importScripts = (...names) => names.reduce((before, name) => before.then(() => load(inside, name)), Promise.resolve());
      this.inside = inside;
      this.ready = load(inside, address);
    }

    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new MessageEvent("message", {data})));
    }

    terminate() {
      this.inside.frameElement.remove();
    }
  };
  const load = (inside, address) =>
    new Promise((done, failed) => {
      const script = inside.document.createElement("script");
      script.src = new URL(address, location.href);
      script.onload = done;
      script.onerror = failed;
      inside.document.body.appendChild(script);
    });
  window.Worker = window.IFrameWorker;
}
