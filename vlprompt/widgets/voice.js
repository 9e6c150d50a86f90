// What the sliders of ipywidgets lack for those who cannot see them: a name, their value as it is read, and a voice that
// says the words of each new picture.

function set(element, attribute, value) {
  if (value && element.getAttribute(attribute) !== value) element.setAttribute(attribute, value);
}

function name(panel) {
  for (const slider of panel.querySelectorAll(".widget-slider")) {
    const label = slider.querySelector(".widget-label")?.textContent;
    const readout = slider.querySelector(".widget-readout");
    for (const handle of slider.querySelectorAll("[role=slider]")) {
      set(handle, "aria-label", label);
      set(handle, "aria-valuetext", readout?.textContent); // of a list's slider, ARIA would else say the place in it
    }
    if (readout?.isContentEditable && slider.classList.contains("vlprompt-list")) {
      readout.contentEditable = "false"; // ipywidgets lets one type there, and takes no notice
    } else if (readout?.isContentEditable) {
      set(readout, "role", "textbox");
      set(readout, "aria-label", `${label}, as a number`);
    }
  }
}

function render({ model, el }) {
  const voice = document.createElement("div");
  voice.className = "vlprompt-voice";
  voice.setAttribute("role", "status");
  el.append(voice);
  const speak = () => (voice.textContent = model.get("words"));
  model.on("change:words", speak);

  let watch;
  let waiting = requestAnimationFrame(function begin() {
    const panel = el.closest(".vlprompt-panel");
    if (!panel) return (waiting = requestAnimationFrame(begin)); // not yet on the page
    watch = new MutationObserver(() => name(panel));
    watch.observe(panel, { childList: true, subtree: true, characterData: true, attributeFilter: ["contenteditable"] });
    name(panel);
  });
  return () => {
    cancelAnimationFrame(waiting);
    watch?.disconnect();
    model.off("change:words", speak);
  };
}

export default { render };
