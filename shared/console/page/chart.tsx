/** @jsxImportSource preact */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";

/** One line over time. */
export interface ChartProps {
  title: string;
  /** What it says now, in words: for those who don't see it too. */
  says: string;
  /** Seconds since 1970. */
  times: number[];
  values: (number | null)[];
  text: (value: number) => string;
  bars?: boolean;
}

const height = 120;

const hours = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const days = new Intl.DateTimeFormat("en", { month: "short", day: "numeric" });

/** Times of an axis: hours, or days where the lines go over several. */
function timeTexts(_plot: uPlot, ticks: number[]): string[] {
  const over = (ticks.at(-1) ?? 0) - (ticks[0] ?? 0) > 86_400;
  return ticks.map((tick) => (over ? days : hours).format(new Date(tick * 1000)));
}

/** What an axis shows: bars from nothing on, and lines too, unless what they do would not be seen. */
function rangeOf(least: number, most: number, bars: boolean): [number, number] {
  if (most <= 0) return [0, 1];
  if (bars || least < most / 2 || least === most) return [0, most * 1.1];
  const room = (most - least) / 5;
  return [Math.max(0, least - room), most + room];
}

/** A small line or bar chart, with its last value beside the title. */
export function Chart({ title, says, times, values, text, bars = false }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    // nothing to draw yet
    if (element === null) return;
    const draw = () => {
      element.replaceChildren();
      const style = getComputedStyle(document.documentElement);
      const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
      const axis = {
        stroke: colour("muted"),
        grid: { stroke: colour("line"), width: 1 },
        ticks: { show: false },
        font: "11px system-ui, sans-serif",
      };
      new uPlot(
        {
          width: element.clientWidth,
          height,
          legend: { show: false },
          cursor: { y: false, points: { size: 6 } },
          padding: [8, 20, 0, 0],
          scales: { y: { range: (_u, min, max) => rangeOf(min ?? 0, max ?? 0, bars) } },
          axes: [
            { ...axis, space: 60, size: 26, values: timeTexts },
            { ...axis, size: 58, space: 34, values: (_u, ticks) => ticks.map(text) },
          ],
          series: [{}, {
            stroke: colour("accent"),
            fill: `${colour("accent")}${bars ? "a6" : "26"}`,
            width: bars ? 0 : 1.5,
            points: { show: values.length < 3 },
            ...(bars && { paths: uPlot.paths.bars!({ size: [0.8, 24] }) }),
          }],
        },
        [times, values],
        element,
      );
    };
    draw();
    const resized = new ResizeObserver(draw);
    resized.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", draw);
    document.addEventListener("themechange", draw);
    return () => {
      resized.disconnect();
      scheme.removeEventListener("change", draw);
      document.removeEventListener("themechange", draw);
    };
  }, [times, values]);
  return (
    <figure class="chart">
      <figcaption>
        <span>{title}</span>
        <strong>{says}</strong>
      </figcaption>
      {values.length === 0
        ? <p class="quiet chart-empty">The first lines come within two minutes.</p>
        : <div ref={place} role="img" aria-label={`${title}: ${says}`} class="chart-place" />}
    </figure>
  );
}
