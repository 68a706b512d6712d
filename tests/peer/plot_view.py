"""What is compared of `plots show --json` and `plots diff --json`, whose Vega templates are each side's own: names, revisions,
errors, all data points, and which fields and titles the specification draws."""

import json


def drawn(value, found):
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("x", "y") and isinstance(inner, dict):
                found.add(json.dumps([key, inner.get("field"), inner.get("title")]))
            if key == "scale" and "range" in inner:
                found.add(json.dumps(inner, sort_keys=True))
            if key == "title" and isinstance(inner, dict):
                found.add(json.dumps(inner["text"]))
            if key != "data":
                drawn(inner, found)
    elif isinstance(value, list):
        for inner in value:
            drawn(inner, found)
    return sorted(found)


def view(document):
    """A document of DVC's or Nephron's as lines of text."""
    lines = [json.dumps(document.get("errors"))]
    for name, plots in document.get("data", {"": [{"content": document}] if "$schema" in document else []}).items():
        lines.append(name)
        for plot in plots:
            content = plot.pop("content", None)
            lines.append("   " + json.dumps(plot, sort_keys=True))
            if content:
                values = content["data"]["values"]
                lines += ["     " + json.dumps(row, sort_keys=True) for row in (values if isinstance(values, list) else [values])]
                lines.append("     %s" % drawn(content, set()))
    return lines


if __name__ == "__main__":
    import sys

    print("\n".join(view(json.load(sys.stdin))))
