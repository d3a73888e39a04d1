import { useEffect } from "preact/hooks";

/** g and a letter leads to a view, / to the field that filters. */
export function useShortcuts(views: [key: string, path: string][]) {
  useEffect(() => {
    let led = 0;
    const pressed = (event: KeyboardEvent) => {
      const { tagName } = event.target as HTMLElement;
      if (
        event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(tagName)
      ) return;
      const seek = document.getElementById("seek");
      if (event.key === "/" && seek !== null) {
        event.preventDefault();
        seek.focus();
      } else if (event.key === "g") led = Date.now();
      else if (Date.now() - led < 1500) {
        led = 0;
        const view = views.find(([key]) => key === event.key);
        if (view !== undefined) location.hash = `#/${view[1]}`;
      }
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}
