// The few steps of the document that are taken everywhere. Text goes in as text: nothing here, nor anywhere, parses markup.

export const $ = (id) => document.getElementById(id);

// An element with properties (`data` and `aria` hold attributes of these names) and children: elements or text.
export function make(name, { data = {}, aria = {}, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  Object.assign(element.dataset, data);
  for (const [key, value] of Object.entries(aria)) element.setAttribute(`aria-${key}`, value);
  element.append(...children);
  return element;
}

// Writes only what differs, so that a screen reader hears no text twice.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

// Puts each sentence beside its field of `form`, focuses the first; true when every one had a place.
export function showErrors(form, errors) {
  let placed = true, first = null;
  for (const field of form.elements) {
    const slot = field.name && $(field.getAttribute("aria-describedby")?.split(" ").pop());
    if (!slot) continue;
    const text = errors[field.name] ?? "";
    say(slot, text);
    field.setAttribute("aria-invalid", String(text !== ""));
    if (text) first ??= field;
  }
  for (const name of Object.keys(errors)) placed &&= form.elements[name] !== undefined;
  first?.focus();
  return placed;
}
