/** `npm run fuzz`: its flags, and going round the kinds and edges until the time is over. */
import { parseArgs } from 'node:util';
import { Campaign, type CampaignOptions, formatFinding } from './campaign.js';
import { kinds } from './kinds.js';
import type { EdgeName } from './node-under-test.js';

const USAGE = `npm run fuzz -- [--minutes N] [--seed N] [--edge node|uws] [--only kind,kind] [--case N | --case N-M] [--workers N] [--ignore TEXT]
  --minutes  how long in all; 5 without it
  --seed     what the cases are made from; the time without it, and printed
  --edge     one edge; both without it
  --only     some kinds: ${kinds.map(({ name }) => name).join(', ')}
  --case     one case, or the cases N to M, of one kind
  --workers  workers of the node under test; 1 without it
  --ignore   complaints with this text do not count, to look past what is known; may be repeated`;

/** A part of the time that is given to a kind before it is the turn of the next. */
const TURN_MS = 30_000;

function range(text: string | undefined): { from: number; count: number } | undefined {
  if (text === undefined) return undefined;
  const [first = Number.NaN, last = first] = text.split('-').map(Number);
  return { from: first, count: last - first + 1 };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '5' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
      edge: { type: 'string' },
      only: { type: 'string' },
      case: { type: 'string' },
      workers: { type: 'string', default: '1' },
      ignore: { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', default: false },
    },
  });
  const only = values.only?.split(',');
  const chosen = kinds.filter(({ name }) => only === undefined || only.includes(name));
  const cases = range(values.case);
  const unknown = only?.find((name) => !kinds.some((kind) => kind.name === name));
  if (values.help || unknown !== undefined || (cases !== undefined && !(cases.count > 0))) {
    console.log(unknown === undefined ? USAGE : `There is no kind ${unknown}.\n${USAGE}`);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const edges: readonly EdgeName[] = values.edge === undefined ? ['node', 'uws'] : [values.edge as EdgeName];
  const settings = values.workers === '1' ? {} : { workers: Number(values.workers) };
  const end = Date.now() + Number(values.minutes) * 60_000;
  const { seed } = values;
  console.log(`seed ${seed}`);
  let findings = 0;
  const report: CampaignOptions['report'] = (finding) => {
    findings++;
    console.log(formatFinding(finding));
  };
  const next = new Map<string, number>();
  do {
    for (const kind of chosen) {
      for (const edge of edges) {
        if (cases === undefined && Date.now() >= end) break;
        const lane = `${kind.name} on ${edge}`;
        const from = next.get(lane) ?? 0;
        const deadline = Math.min(end, Date.now() + TURN_MS);
        const span = cases ?? { from, deadline };
        const result = await new Campaign(kind, {
          seed,
          edge,
          settings,
          report,
          most: 5,
          ignore: values.ignore,
          ...span,
        }).run();
        next.set(lane, from + result.played);
        console.log(
          `${lane}: cases ${span.from} to ${span.from + result.played - 1}, ${Math.round(result.resident / 1_048_576)} MiB, ${result.findings.length} findings`,
        );
      }
    }
  } while (cases === undefined && Date.now() < end);
  console.log(findings === 0 ? 'nothing found' : `${findings} findings`);
  process.exitCode = findings === 0 ? 0 : 1;
}

await main();
