// All scenarios, in the order in which they run.

import type { Scenario } from './scenario.ts';
import { admission } from './scenarios/admission.ts';
import { fanout } from './scenarios/fanout.ts';
import { latency } from './scenarios/latency.ts';
import { loads } from './scenarios/loads.ts';
import { scale } from './scenarios/scale.ts';
import { throughput } from './scenarios/throughput.ts';

export const SCENARIOS: readonly Scenario[] = [latency, fanout, throughput, ...loads, admission, scale];
