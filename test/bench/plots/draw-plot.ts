import { median } from '../statistics.ts';
import { createLogScale, formatTick, type LogScale } from './log-scale.ts';
import type { Plot, PlotLine } from './plot.ts';
import { spreadApart } from './spread-apart.ts';

const WIDTH = 720;
const HEIGHT = 400;
/** Room for names and axes. */
const LEFT = 64;
const RIGHT = 150;
const TOP = 44;
const BOTTOM = 52;
const LINE_HEIGHT = 16;

/** By the names of servers; of a palette that the colour-blind can tell apart, on light ground and on dark. */
const COLORS: Readonly<Record<string, string>> = {
  Concord: '#2b8cd6',
  'etcd itself': '#e0661a',
  'etcd grpc-proxy': '#12a37a',
  'etcd JSON gateway': '#b872a6',
};
const OTHER_COLOR = '#888888';

const STYLE = `
    .text { fill: #24292f; font: 13px system-ui, sans-serif }
    .title { font-weight: 600; font-size: 15px }
    .ground { fill: #ffffff }
    .grid { stroke: #d0d7de; stroke-width: 1 }
    .line { fill: none; stroke-width: 2; stroke-linejoin: round }
    @media (prefers-color-scheme: dark) {
      .text { fill: #e6edf3 }
      .ground { fill: #0d1117 }
      .grid { stroke: #30363d }
    }`;

/** Draws a plot as SVG: both axes logarithmic, a line for each server through its medians, from the least to the greatest value. */
export function drawPlot({ title, xLabel, yLabel, lines }: Plot): string {
  const points = lines.flatMap((line) => line.points);
  const x = createLogScale(
    points.map((point) => point.x),
    LEFT,
    WIDTH - RIGHT,
  );
  const y = createLogScale(
    points.flatMap(({ values }) => values),
    HEIGHT - BOTTOM,
    TOP,
  );
  const names = spreadApart(
    lines.map(({ points: ofLine }) => y.at(median(ofLine.at(-1)?.values ?? []))),
    LINE_HEIGHT,
  );
  const middleY = (TOP + HEIGHT - BOTTOM) / 2;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">`,
    `  <title>${escapeXml(title)}</title>`,
    `  <style>${STYLE}\n  </style>`,
    `  <rect class="ground" width="${WIDTH}" height="${HEIGHT}"/>`,
    text({ x: LEFT, y: 24 }, title, 'class="text title"'),
    ...x.ticks.flatMap((tick) => [
      rule({ x: x.at(tick), y: TOP }, { x: x.at(tick), y: HEIGHT - BOTTOM }),
      text({ x: x.at(tick), y: HEIGHT - BOTTOM + 18 }, formatTick(tick), 'class="text" text-anchor="middle"'),
    ]),
    ...y.ticks.flatMap((tick) => [
      rule({ x: LEFT, y: y.at(tick) }, { x: WIDTH - RIGHT, y: y.at(tick) }),
      text({ x: LEFT - 8, y: y.at(tick) + 4 }, formatTick(tick), 'class="text" text-anchor="end"'),
    ]),
    text({ x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 12 }, xLabel, 'class="text" text-anchor="middle"'),
    text(
      { x: 16, y: middleY },
      yLabel,
      `class="text" text-anchor="middle" transform="rotate(-90 16 ${round(middleY)})"`,
    ),
    ...lines.flatMap((line, i) => drawLine(line, x, y, names[i] ?? TOP)),
    '</svg>',
    '',
  ].join('\n');
}

function drawLine({ name, points }: PlotLine, x: LogScale, y: LogScale, nameY: number): readonly string[] {
  const color = COLORS[name] ?? OTHER_COLOR;
  const medians = points.map((point) => `${round(x.at(point.x))},${round(y.at(median(point.values)))}`);
  const marks = points.flatMap((point) => {
    const at = round(x.at(point.x));
    const [least, greatest] = [Math.min(...point.values), Math.max(...point.values)];
    return [
      `  <path stroke="${color}" stroke-width="1" d="M${at} ${round(y.at(least))}V${round(y.at(greatest))}"/>`,
      `  <circle cx="${at}" cy="${round(y.at(median(point.values)))}" r="3.5" fill="${color}"/>`,
    ];
  });
  return [
    `  <polyline class="line" stroke="${color}" points="${medians.join(' ')}"/>`,
    ...marks,
    text({ x: WIDTH - RIGHT + 12, y: nameY + 4 }, name, `class="text" style="fill: ${color}"`),
  ];
}

interface Position {
  readonly x: number;
  readonly y: number;
}

function text({ x, y }: Position, words: string, attributes: string): string {
  return `  <text x="${round(x)}" y="${round(y)}" ${attributes}>${escapeXml(words)}</text>`;
}

function rule(from: Position, to: Position): string {
  return `  <path class="grid" d="M${round(from.x)} ${round(from.y)}L${round(to.x)} ${round(to.y)}"/>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeXml(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
