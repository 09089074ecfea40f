// Before the first paint, so that a chosen theme does not flash.
try {
  const chosen = localStorage.getItem("travel-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Without storage the page follows the system.
}
