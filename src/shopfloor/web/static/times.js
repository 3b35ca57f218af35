// Moments in the viewer's own zone.

const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/**
 * Write every moment below a node in the viewer's zone; what is relative keeps its words and gets the moment as title.
 * @param {ParentNode} below
 */
export function localTimes(below) {
  for (const time of below.querySelectorAll("time")) {
    const local = format.format(new Date(time.dateTime));
    if (time.hasAttribute("data-relative")) {
      time.title = local;
    } else {
      time.title = `${time.textContent} (${time.title})`;
      time.textContent = local;
    }
  }
}
