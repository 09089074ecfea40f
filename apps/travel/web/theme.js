const KEY = "travel-theme";
const CHOICES = ["system", "light", "dark"];
const WORDS = { system: "as the system", light: "light", dark: "dark" };

function stored() {
  try {
    const value = localStorage.getItem(KEY);
    return CHOICES.includes(value) ? value : "system";
  } catch {
    return "system";
  }
}

function show(button, choice) {
  const root = document.documentElement;
  if (choice === "system") delete root.dataset.theme;
  else root.dataset.theme = choice;
  button.dataset.choice = choice;
  button.setAttribute("aria-label", `Theme: ${WORDS[choice]}`);
  button.title = `Theme: ${WORDS[choice]}`;
}

/** A button that goes from the system's theme to light, to dark, and back. */
export function startTheme(button) {
  show(button, stored());
  button.addEventListener("click", () => {
    const next = CHOICES[(CHOICES.indexOf(stored()) + 1) % CHOICES.length];
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // The choice then lasts as long as the page.
    }
    show(button, next);
  });
}
