/**
 * Runs in a browser, behind uPlot: draws panels at the places that they have on the board, much as Grafana does. Nothing here is of
 * Grafana: it takes a time-series panel's queries, unit, scale and legend from the board, and leaves out the rest.
 */

/** A column of the board's 24, and a unit of its height, in CSS pixels, as in Grafana 11 on a screen of that width. */
const COLUMN = 54;
const UNIT = 30;
const GAP = 8;
/** Of a panel, beside the plot itself. */
const TITLE = 26;

const COLORS = [
  '#73bf69',
  '#f2cc0c',
  '#8ab8ff',
  '#ff780a',
  '#f2495c',
  '#5794f2',
  '#b877d9',
  '#c4162a',
  '#ffb357',
  '#96d98d',
];

/** A number with a prefix of SI, or of 1,024. */
function scaled(value, base, prefixes) {
  let size = Math.abs(value);
  let at = 0;
  while (size >= base && at < prefixes.length - 1) {
    size /= base;
    at++;
  }
  const text = size === 0 ? '0' : String(Number(size.toPrecision(3)));
  return `${value < 0 ? '-' : ''}${text}${prefixes[at]}`;
}
const plain = (value) => scaled(value, 1_000, ['', ' K', ' Mil', ' Bil']);

function seconds(value) {
  if (value === 0) return '0 s';
  if (value < 0.001) return `${Number((value * 1_000_000).toPrecision(3))} µs`;
  if (value < 1) return `${Number((value * 1_000).toPrecision(3))} ms`;
  return `${Number(value.toPrecision(3))} s`;
}

/** By the ids of units that Grafana has. */
const UNITS = {
  short: plain,
  ops: (value) => `${plain(value)} ops/s`,
  reqps: (value) => `${plain(value)} req/s`,
  Bps: (value) => `${scaled(value, 1_000, [' B', ' kB', ' MB', ' GB'])}/s`,
  bytes: (value) => scaled(value, 1_024, [' B', ' KiB', ' MiB', ' GiB']),
  percentunit: (value) => `${Number((value * 100).toPrecision(3))}%`,
  s: seconds,
  d: (value) => `${plain(value)} days`,
};

/** Distances of lines at which bytes have round numbers. */
const BINARY = Array.from({ length: 40 }, (_, power) => 2 ** power);

function element(parent, style, text = '') {
  const made = document.createElement('div');
  made.style.cssText = style;
  made.textContent = text;
  parent.append(made);
  return made;
}

/** Lines where alerts began to fire. */
function drawMarks(plot, marks) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = '#f2495c';
  ctx.setLineDash([3, 4]);
  for (const { time } of marks) {
    const x = Math.round(plot.valToPos(time, 'x', true)) + 0.5;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

/** One panel; returns the number of its lines. */
function drawPanel(board, { title, gridPos, unit, log, series }, { times, marks }) {
  const width = gridPos.w * COLUMN - GAP;
  const height = gridPos.h * (UNIT + GAP) - GAP;
  const box = element(
    board,
    `position:absolute;left:${gridPos.x * COLUMN}px;top:${gridPos.y * (UNIT + GAP)}px;width:${width}px;height:${height}px;` +
      'background:#181b1f;border:1px solid #24282e;border-radius:2px;box-sizing:border-box;overflow:hidden',
  );
  element(box, `height:${TITLE}px;line-height:${TITLE}px;padding:0 8px;font-weight:500;font-size:14px`, title);
  const place = element(box, '');
  const legend = element(box, 'position:absolute;bottom:4px;left:8px;right:8px;font-size:11px;line-height:15px');
  for (const [at, { name }] of series.entries()) {
    const entry = element(legend, 'display:inline-block;margin-right:12px;white-space:nowrap', name);
    const dash = element(
      entry,
      `display:inline-block;width:12px;height:3px;margin:0 5px 3px 0;background:${COLORS[at % COLORS.length]}`,
    );
    entry.prepend(dash);
  }
  const format = UNITS[unit];
  if (format === undefined) throw new Error(`${title}: no unit ${unit}`);
  const axis = {
    stroke: '#9fa7b3',
    grid: { stroke: '#2a2e35', width: 1 },
    ticks: { show: false },
    font: '11px sans-serif',
  };
  const highest = Math.max(0, ...series.flatMap(({ values }) => values.filter((value) => value !== null)));
  const y = log ? { distr: 3, log: 10 } : { range: [0, highest === 0 ? 1 : highest * 1.1] };
  const options = {
    width: width - 2,
    height: height - TITLE - legend.offsetHeight - 8,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: true }, y },
    series: [
      {},
      ...series.map(({ name }, at) => ({
        label: name,
        stroke: COLORS[at % COLORS.length],
        fill: log ? undefined : `${COLORS[at % COLORS.length]}1a`,
        width: 1,
        points: { show: false },
      })),
    ],
    axes: [
      { ...axis, size: 26, space: 40, values: '{HH}:{mm}' },
      {
        ...axis,
        size: 74,
        ...(unit === 'bytes' ? { incrs: BINARY } : {}),
        space: 30,
        values: (_, splits) => splits.map((value) => (value === null ? '' : format(value))),
      },
    ],
    hooks: { draw: [(plot) => drawMarks(plot, marks)] },
  };
  new uPlot(options, [times, ...series.map(({ values }) => values)], place);
  return series.length;
}

/** All of it; returns the numbers of lines by the panels' titles, and the size of the whole in CSS pixels. */
globalThis.drawBoard = ({ title, panels, times, marks }) => {
  document.body.style.cssText = 'margin:0;background:#111217;color:#ccccdc;font-family:Inter,"DejaVu Sans",sans-serif';
  const names = [...new Set(marks.map(({ name }) => name))];
  const head = element(document.body, 'padding:12px 16px 4px;font-size:18px;font-weight:500', title);
  if (names.length > 0)
    element(
      head,
      'font-size:12px;font-weight:400;color:#f2495c;padding-top:4px',
      `¦ began to fire: ${names.join(', ')}`,
    );
  const board = element(document.body, `position:relative;margin:8px 16px;width:${24 * COLUMN - GAP}px`);
  const lines = {};
  let bottom = 0;
  for (const panel of panels) {
    const { gridPos, type } = panel;
    bottom = Math.max(bottom, (gridPos.y + gridPos.h) * (UNIT + GAP));
    if (type === 'row')
      element(
        board,
        `position:absolute;top:${gridPos.y * (UNIT + GAP)}px;line-height:${UNIT}px;font-size:15px;font-weight:500`,
        `⌄ ${panel.title}`,
      );
    else lines[panel.title] = drawPanel(board, panel, { times, marks });
  }
  board.style.height = `${bottom}px`;
  return { lines, width: 24 * COLUMN - GAP + 32, height: Math.ceil(document.documentElement.scrollHeight) };
};
