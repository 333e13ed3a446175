// All workload kinds that the controller knows.

import { deployment } from './deployment.ts';
import type { WorkloadKind } from './kind.ts';

export const WORKLOAD_KINDS: readonly WorkloadKind[] = [deployment];
