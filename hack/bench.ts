// `make bench`: drives controllers on one real API server, and measures what they take beside the least that it could be.
// What is measured is in bench/scenarios.ts.

import { describeMachine, machineText } from './bench/machine.ts';
import { type Options, parseOptions, usage } from './bench/options.ts';
import { asJson, asTable, isWrong, type Outcome } from './bench/report.ts';
import type { Scenario } from './bench/scenario.ts';
import { QUICK, SCENARIOS } from './bench/scenarios.ts';
import { Session } from './bench/session.ts';
import { messageOf, Problem } from './embedded/problem.ts';

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());

try {
  const options = parseOptions(
    process.argv.slice(2),
    SCENARIOS.map(({ name }) => name),
    QUICK,
  );
  if (options.help) console.log(usage(SCENARIOS, QUICK));
  else process.exitCode = await bench(options);
} catch (error) {
  if (!interrupted.signal.aborted) console.error(`error: ${textOf(error)}`);
  process.exit(interrupted.signal.aborted ? 130 : 1);
}

/** Gives the exit code. */
function bench(options: Options): Promise<number> {
  // Standard output is for what was asked for.
  const print = options.output === 'json' ? console.error : console.log;
  const start = performance.now();
  const progress = (line: string) => print(`${((performance.now() - start) / 1000).toFixed(0).padStart(5)} s  ${line}`);
  return Session.with(options, progress, interrupted.signal, async (session) => {
    const machine = describeMachine(await session.serverVersion());
    print(`\n${machineText(machine)}\n`);
    const chosen = SCENARIOS.filter(({ name }) => options.scenarios.includes(name));
    const outcomes: Outcome[] = [];
    for (const [index, scenario] of chosen.entries()) {
      const left = chosen.slice(index).reduce((sum, each) => sum + each.lasts(session), 0);
      progress(`[${index + 1}/${chosen.length}] ${scenario.name}: ${scenario.about}`);
      progress(`  takes about ${duration(scenario.lasts(session))}, to the end ${duration(left)}`);
      const outcome = await outcomeOf(scenario, session);
      outcomes.push(outcome);
      print(`\n${asTable(outcome)}\n`);
    }
    const { candidates, quick, admission, seconds } = options;
    const report = { machine, options: { candidates, quick, admission, seconds }, outcomes };
    if (options.output === 'json') console.log(asJson(report));
    progress('Done.');
    return isWrong(report) ? 1 : 0;
  });
}

/** One that fails does not take the others with it. */
async function outcomeOf(scenario: Scenario, session: Session): Promise<Outcome> {
  try {
    return { scenario: scenario.name, figures: await session.run(scenario) };
  } catch (error) {
    if (interrupted.signal.aborted) throw error;
    return { scenario: scenario.name, figures: [], failure: `FAILED: ${textOf(error)}` };
  }
}

function textOf(error: unknown): string {
  const detail = error instanceof Problem && error.detail !== undefined ? `\n${error.detail}` : '';
  return `${messageOf(error)}${detail}`;
}

function duration(seconds: number): string {
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
