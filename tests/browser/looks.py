"""How a panel looks, measured in the page: what sticks out, what is cut off, what is hard to read, what has no name."""

from playwright.sync_api import Locator

# Elements that reach out of their panel; what lies in a box that says it scrolls (a wide table) may.
STICKS_OUT = """panel => {
  const frame = panel.getBoundingClientRect();
  return [...panel.querySelectorAll('*')].filter(element => {
    const box = element.getBoundingClientRect();
    const free = element.closest('.vlprompt-voice') || element.parentElement.closest('[style*="overflow-x"]');
    return box.width && !free && (box.right > frame.right + 1 || box.left < frame.left - 1);
  }).map(element => element.outerHTML.slice(0, 90));
}"""

# Labels and buttons whose text does not fit.
CUT_OFF = """panel => [...panel.querySelectorAll('.widget-label, button, .widget-readout, select')]
  .filter(element => element.scrollWidth > element.clientWidth + 1)
  .map(element => element.textContent)"""

# Text whose contrast is below what WCAG 2.2 asks for (1.4.3): 4.5, and 3 for large text. Disabled controls are exempt.
FAINT = """panel => {
  const rgba = text => { const n = text.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
  const over = (top, below) => [0, 1, 2].map(i => top[3] * top[i] + (1 - top[3]) * below[i]);
  const light = colour => {
    const [r, g, b] = colour.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const colour = rgba(getComputedStyle(e).backgroundColor);
      if (colour[3]) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const found = [], walker = document.createTreeWalker(panel, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement, style = getComputedStyle(element);
    const unseen = !node.textContent.trim() || !element.getClientRects().length || style.visibility === 'hidden';
    if (unseen || element.closest('[disabled], .vlprompt-voice, option')) continue;
    const svg = element instanceof SVGElement, back = behind(element);
    const colour = rgba(svg && style.fill !== 'none' ? style.fill : style.color);
    const [a, b] = [light(over(colour, back)), light(back)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(1)}: ${node.textContent.trim().slice(0, 60)}`);
  }
  return found;
}"""

# What can have the focus, in the order in which Tab reaches it: its role and its name.
ROLES = "button, select, input, textarea, [role=slider], [contenteditable=true]"


def sticks_out(panel: Locator) -> list[str]:
    return panel.evaluate(STICKS_OUT)


def cut_off(panel: Locator) -> list[str]:
    return panel.evaluate(CUT_OFF)


def faint(panel: Locator) -> list[str]:
    return panel.evaluate(FAINT)


def names(panel: Locator) -> list[tuple[str, str]]:
    """Role and name of every control, from the tree that a screen reader gets."""
    page = panel.page
    session = page.context.new_cdp_session(page)
    session.send("Accessibility.enable")
    root = session.send("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
    panel.evaluate("panel => panel.setAttribute('data-looked-at', '')")
    found = session.send("DOM.querySelectorAll", {"nodeId": root, "selector": f"[data-looked-at] :is({ROLES})"})
    nodes = [
        session.send("Accessibility.getPartialAXTree", {"nodeId": n, "fetchRelatives": False}) for n in found["nodeIds"]
    ]
    panel.evaluate("panel => panel.removeAttribute('data-looked-at')")
    session.detach()
    tree = [node["nodes"][0] for node in nodes]
    return [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in tree if not n.get("ignored")]


def reached_by_tab(panel: Locator) -> int:
    """How many of the panel's controls Tab reaches, one after the other, from before the first."""
    panel.evaluate("""panel => { panel.tabIndex = -1; panel.focus({preventScroll: true}); }""")
    for reached in range(200):
        panel.page.keyboard.press("Tab")
        if not panel.evaluate("panel => panel.contains(document.activeElement) && document.activeElement !== panel"):
            return reached
    raise AssertionError("Tab never leaves the panel")
