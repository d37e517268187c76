"use strict";
// Sorts, filters and pages the table of cells. Data comes as JSON and is only ever set as text, never as markup.
(function () {
  var data = document.getElementById("d-cells");
  if (!data) return;
  var grid = JSON.parse(data.textContent), rows = grid.rows, heads = grid.heads;
  var table = document.getElementById("t-cells"), body = table.tBodies[0];
  var text = document.getElementById("f-text"), count = document.getElementById("f-count");
  var more = document.getElementById("f-more"), page = 200, shown = page;
  var sort = { column: -1, down: false };
  var selects = [].slice.call(document.querySelectorAll("select[id^=f-]"));
  var lower = rows.map(function (row) { return row.join(" ").toLowerCase(); });

  function human(value) {
    if (value === null) return "";
    if (typeof value !== "number") return value;
    if (Number.isInteger(value)) return value.toLocaleString("en");
    return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(4)));
  }

  function compare(a, b) {
    var x = rows[a][sort.column], y = rows[b][sort.column];
    if (x === null || y === null) return (x === null) - (y === null) || a - b; // what is missing comes last, either way
    var order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "en");
    return (sort.down ? -order : order) || a - b;
  }

  function draw() {
    var words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    var found = [];
    for (var i = 0; i < rows.length; i++) {
      var fits = words.every(function (word) { return lower[i].indexOf(word) >= 0; }) &&
        selects.every(function (s) { return !s.value || String(rows[i][Number(s.id.slice(2))]) === s.value; });
      if (fits) found.push(i);
    }
    if (sort.column >= 0) found.sort(compare);
    var fresh = document.createDocumentFragment();
    found.slice(0, shown).forEach(function (index) {
      var line = document.createElement("tr");
      rows[index].forEach(function (value) {
        var field = document.createElement("td");
        field.textContent = human(value);
        if (typeof value === "number") field.className = "n";
        line.appendChild(field);
      });
      fresh.appendChild(line);
    });
    body.replaceChildren(fresh);
    count.textContent = found.length + " of " + rows.length + " cells";
    more.hidden = found.length <= shown;
  }

  heads.forEach(function (name, column) {
    var head = table.tHead.rows[0].cells[column], button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    head.replaceChildren(button);
    button.addEventListener("click", function () {
      sort = { column: column, down: sort.column === column ? !sort.down : false };
      [].forEach.call(table.tHead.rows[0].cells, function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
      draw();
    });
  });
  selects.forEach(function (select) {
    var column = Number(select.id.slice(2)), values = {};
    rows.forEach(function (row) { values[row[column]] = true; });
    Object.keys(values).sort().forEach(function (value) {
      var option = document.createElement("option");
      option.value = option.textContent = value;
      select.appendChild(option);
    });
    select.addEventListener("change", function () { shown = page; draw(); });
  });
  text.addEventListener("input", function () { shown = page; draw(); });
  text.form.addEventListener("submit", function (event) { event.preventDefault(); });
  more.addEventListener("click", function () { shown += 1000; draw(); });
  draw();
})();
