/** @jsxImportSource preact */
import { useEffect, useState } from "preact/hooks";

/** Light, dark, or as the system has it. */
export function Theme() {
  const [theme, setTheme] = useState(localStorage.getItem("sediment-theme") ?? "system");
  useEffect(() => {
    if (theme === "system") localStorage.removeItem("sediment-theme");
    else localStorage.setItem("sediment-theme", theme);
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new Event("themechange"));
  }, [theme]);
  return (
    <select
      aria-label="Theme"
      value={theme}
      onChange={(event) => setTheme(event.currentTarget.value)}
    >
      <option value="system">System</option>
      <option value="light">Light</option>
      <option value="dark">Dark</option>
    </select>
  );
}
