// Shows the rows whose name holds what is typed, the shortest names first. They stand in the page; nothing is fetched.
for (const box of document.querySelectorAll(".lookup")) {
  const rows = box.querySelector("pre").textContent.trim().split("\n").map((line) => line.split("\t"));
  const [input, body, told] = ["input", "tbody", "output"].map((name) => box.querySelector(name));
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    const found = wanted ? rows.filter(([name]) => name.toLowerCase().includes(wanted)) : [];
    found.sort(([one], [other]) => one.length - other.length);
    body.replaceChildren(...found.slice(0, 12).map((cells) => {
      const line = document.createElement("tr");
      cells.forEach((text, index) => {
        const cell = document.createElement(index ? "td" : "th");
        cell.textContent = text;
        line.append(cell);
      });
      return line;
    }));
    told.textContent = found.length > 12 ? `the first 12 of ${found.length.toLocaleString("en")}`
      : wanted && !found.length ? "no series of that name" : "";
  });
  box.hidden = false;
}
