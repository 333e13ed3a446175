// All scenarios, in the order in which they run.

import type { Scenario } from './scenario.ts';
import { admission } from './scenarios/admission.ts';
import { fanout } from './scenarios/fanout.ts';
import { latency } from './scenarios/latency.ts';
import { loads } from './scenarios/loads.ts';
import { scale } from './scenarios/scale.ts';
import { throughput } from './scenarios/throughput.ts';

/** Those that --quick means: of each sort, and on one cluster. S6 is S1, and a crash. */
export const QUICK: readonly string[] = ['latency', 'fanout', 'throughput', 'S6', 'admission'];

export const SCENARIOS: readonly Scenario[] = [latency, fanout, throughput, ...loads, admission, scale];
