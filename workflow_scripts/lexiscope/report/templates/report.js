(() => {
  "use strict";

  const announce = (text) => {
    document.getElementById("announcer").textContent = text;
  };

  // ---- Sortable tables: a button in each heading; the body's rows are put in order, the foot stays.

  const valueOf = (cell) => cell.dataset.value ?? cell.textContent.trim();

  const compare = (numeric, direction) => (a, b) => {
    if (!numeric) return direction * a.key.localeCompare(b.key, "en", { numeric: true });
    const [x, y] = [parseFloat(a.key), parseFloat(b.key)];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y); // gaps last, either way
    return direction * (x - y);
  };

  const sortBy = (table, heading) => {
    const numeric = heading.dataset.sort === "number";
    const first = numeric ? "descending" : "ascending";
    const second = numeric ? "ascending" : "descending";
    const order = heading.getAttribute("aria-sort") === first ? second : first;
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, key: valueOf(row.cells[heading.cellIndex]) }));
    rows.sort(compare(numeric, order === "ascending" ? 1 : -1));
    body.append(...rows.map((entry) => entry.row));
    for (const other of table.querySelectorAll("th[data-sort]")) other.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", order);
    announce(`Sorted by ${heading.textContent.trim()}, ${order}.`);
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    for (const heading of table.querySelectorAll("th[data-sort]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sortBy(table, heading));
      heading.append(button);
      heading.setAttribute("aria-sort", "none");
    }
  }

  // ---- Copying: the numbers as they are, not as they are shown.

  const asTsv = (table) => {
    const rows = [...table.querySelectorAll("thead tr:last-child, tbody tr, tfoot tr")];
    return rows.map((row) => [...row.cells].map((cell) => valueOf(cell).replace(/\s+/g, " ")).join("\t")).join("\n");
  };

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea"); // pages opened from a file may lack the clipboard
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    const tools = document.createElement("p");
    tools.className = "tools";
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy table";
    button.setAttribute("aria-label", `Copy the table “${table.caption.textContent.trim()}” as tab-separated values`);
    button.addEventListener("click", async () => {
      await copy(asTsv(table));
      button.textContent = "Copied";
      announce("The table was copied as tab-separated values.");
      setTimeout(() => { button.textContent = "Copy table"; }, 2000);
    });
    tools.append(button);
    table.closest(".scroller").after(tools);
  }

  // ---- Charts: the drawing in the page gives way to the interactive one once that is ready.

  const specifications = JSON.parse(document.getElementById("chart-specifications")?.textContent ?? "{}");
  const options = {
    actions: false,
    ast: true, // expressions are interpreted: the page's policy forbids eval
    renderer: "svg",
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
  };

  const enliven = async (drawing) => {
    const box = document.createElement("div");
    box.className = "pending";
    drawing.append(box);
    try {
      await vegaEmbed(box, specifications[drawing.dataset.chart], options);
      drawing.replaceChildren(box);
      box.classList.remove("pending");
      drawing.dataset.live = "";
    } catch (error) {
      box.remove();
      console.error(error);
    }
  };

  for (const drawing of document.querySelectorAll("[data-chart]")) enliven(drawing);

  // ---- The table of contents shows where the reader is.

  const links = new Map([...document.querySelectorAll(".contents a")].map((a) => [a.hash.slice(1), a]));
  const inView = new Set();
  const spy = new IntersectionObserver((entries) => {
    for (const entry of entries) inView[entry.isIntersecting ? "add" : "delete"](entry.target.id);
    const current = [...links.keys()].find((id) => inView.has(id));
    for (const [id, link] of links) {
      if (id === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "-15% 0px -70% 0px" });
  for (const id of links.keys()) {
    const section = document.getElementById(id);
    if (section) spy.observe(section);
  }

  // ---- Printing shows what is folded away, then folds it again.

  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const details of folded) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of folded) details.open = false;
  });
})();
