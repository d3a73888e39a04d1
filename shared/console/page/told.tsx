/** @jsxImportSource preact */
import { useEffect, useState } from "preact/hooks";

let say: (text: string, bad?: boolean) => void = () => {};

/** Tells how something that was asked for went. */
export const tell = (text: string, bad = false): void => say(text, bad);

/** Where {@link tell} is heard: one line, read out. */
export function Told() {
  const [told, setTold] = useState<{ text: string; bad: boolean } | null>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    say = (text, bad = false) => {
      clearTimeout(timer);
      setTold({ text, bad });
      timer = setTimeout(() => setTold(null), bad ? 15_000 : 6_000);
    };
    return () => clearTimeout(timer);
  }, []);
  return (
    <div class="told" role="status" aria-live="polite">
      {told && <p class={told.bad ? "bad" : ""}>{told.text}</p>}
    </div>
  );
}
