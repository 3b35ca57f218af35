// What pages do beyond reading: times in the viewer's zone, and ticking all jobs of a table at once.

/** Write every moment in the viewer's own zone; what is relative keeps its words and gets the moment as its title. */
function localTimes() {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  for (const time of document.querySelectorAll("time")) {
    const local = format.format(new Date(time.dateTime));
    if (time.hasAttribute("data-relative")) {
      time.title = local;
    } else {
      time.title = `${time.textContent} (${time.title})`;
      time.textContent = local;
    }
  }
}

/**
 * Put a box into the head of a table that ticks all others.
 * @param {HTMLTableElement} table
 */
function selectAll(table) {
  /** @type {HTMLInputElement[]} */
  const boxes = Array.from(table.querySelectorAll("tbody input[type=checkbox]"));
  const head = table.querySelector("th.tick");
  if (head === null || boxes.length === 0) return;
  const all = document.createElement("input");
  all.type = "checkbox";
  all.setAttribute("aria-label", "Select all jobs of this page");
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
  });
  table.addEventListener("change", () => {
    const ticked = boxes.filter((box) => box.checked).length;
    all.checked = ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
  });
  head.replaceChildren(all);
}

localTimes();
for (const table of document.querySelectorAll("table[data-selectable]")) {
  if (table instanceof HTMLTableElement) selectAll(table);
}
