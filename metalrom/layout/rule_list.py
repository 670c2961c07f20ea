"""The rules that a stack states, one by one."""

from collections.abc import Collection

from interconnect.stack import Stack
from metalrom.layout.drawing_rule import DrawingRule
from metalrom.layout.front_end import FrontEnd


def drawing_rules(stack: Stack, drawn: Collection[str]) -> tuple[DrawingRule, ...]:
    """Every rule that the stack states for the layers that are drawn."""
    rules: list[DrawingRule] = []
    for metal in stack.metals:
        if metal.name in drawn:
            rules += [
                DrawingRule("width", metal.name, metal.min_width),
                DrawingRule("space", metal.name, metal.min_space),
            ]
            rules += [DrawingRule("area", metal.name, metal.min_area)] if metal.min_area else []
    for via in stack.vias:
        if via.name not in drawn:
            continue
        rules += [DrawingRule("size", via.name, via.size), DrawingRule("space", via.name, via.space)]
        for metal_name, rule in ((via.below, via.enclosed_below), (via.above, via.enclosed_above)):
            rules.append(DrawingRule("covered", via.name, other=metal_name))
            if rule and rule.sides > 0:
                rules.append(DrawingRule("enclosure", via.name, rule.sides, metal_name))
            if rule and rule.ends > rule.sides:
                rules.append(DrawingRule("end_enclosure", via.name, rule.ends, metal_name, all_round=rule.sides))
    names = [x.name for x in stack.metals] + [x.name for x in stack.vias]
    return (*rules, *(DrawingRule("grid", name, stack.grid) for name in names if stack.grid and name in drawn))


def front_end_rules(front: FrontEnd, stack: Stack) -> tuple[DrawingRule, ...]:
    """Every rule of a front end, and the stack's grid on its layers."""
    grid = stack.grid or 0.0
    return (*front.rules, *(DrawingRule("grid", name, grid) for name in front.layers if grid))
