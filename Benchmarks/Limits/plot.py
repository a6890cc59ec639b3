"""Line plots as SVG, for a page that needs no other file."""

from html import escape

COLOURS = {"random": "#0b6e99", "burst3": "#c05a00", "burst8": "#7a3b9c"}


def ticks(low, high, count=5):
    span = high - low or 1
    step = 10 ** len(str(int(span / count)))
    for candidate in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000):
        if span / candidate <= count:
            step = candidate
            break
    first = int(low / step) * step
    values = []
    value = first
    while value <= high + step * 1e-6:
        if value >= low - step * 1e-6:
            values.append(round(value, 6))
        value += step
    return values


def plot(title, unit, lines, goals=(), low=0.0, high=None, width=330, height=210, losses=(0, 70)):
    """lines: (name, colour, dashed, [(loss, value or None)]); goals: [(loss, value)], drawn as marks not to be crossed.

    Values above `high` are drawn at the upper edge with an open mark."""
    values = [v for _, _, _, points in lines for _, v in points if v is not None] + [v for _, v in goals]
    if not values:
        return ""
    top = max(values) * 1.05 if high is None else min(high, max(values) * 1.05)
    bottom = min(low, min(values)) if low is not None else min(values) - 0.05 * (max(values) - min(values) or 1)
    if top <= bottom:
        top = bottom + 1
    left, right, above, below = 48, 10, 26, 34
    across, down = width - left - right, height - above - below

    def x(loss):
        return left + across * (loss - losses[0]) / (losses[1] - losses[0])

    def y(value):
        return above + down * (1 - (min(max(value, bottom), top) - bottom) / (top - bottom))

    out = [
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{escape(title)}">',
        f'<text x="{left}" y="15" class="title">{escape(title)}</text>',
    ]
    for value in ticks(bottom, top):
        out.append(f'<line x1="{left}" x2="{width - right}" y1="{y(value):.1f}" y2="{y(value):.1f}" class="grid"/>')
        out.append(f'<text x="{left - 5}" y="{y(value) + 4:.1f}" class="tick" text-anchor="end">{value:g}</text>')
    for loss in range(losses[0], losses[1] + 1, 10):
        out.append(f'<text x="{x(loss):.1f}" y="{height - 18}" class="tick" text-anchor="middle">{loss}</text>')
    out.append(f'<text x="{left + across / 2}" y="{height - 4}" class="tick" text-anchor="middle">loss, %</text>')
    out.append(f'<text x="4" y="15" class="tick">{escape(unit)}</text>')
    for loss, value in goals:
        out.append(
            f'<line x1="{x(loss) - 7:.1f}" x2="{x(loss) + 7:.1f}" y1="{y(value):.1f}" y2="{y(value):.1f}" class="goal"/>'
        )
    for name, colour, dashed, points in lines:
        known = [(loss, value) for loss, value in points if value is not None]
        path = " ".join(f"{x(loss):.1f},{y(value):.1f}" for loss, value in known)
        dash = ' stroke-dasharray="4 3" opacity="0.8"' if dashed else ""
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>')
        if dashed:
            continue
        for loss, value in known:
            fill = "#fff" if value > top else colour
            tip = f"{name}, {loss} %: {value:.2f} {unit}"
            out.append(
                f'<circle cx="{x(loss):.1f}" cy="{y(value):.1f}" r="3" fill="{fill}" stroke="{colour}"><title>{escape(tip)}</title></circle>'
            )
    out.append("</svg>")
    return "\n".join(out)
