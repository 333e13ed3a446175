// How Node runs the controller, wherever it runs. What it reads at its start dies young; left to itself, V8 grows the space for
// that to a size that nobody needs afterwards, and keeps it: 100 MiB and more, with nothing won.

/** In MiB. */
const YOUNG_GENERATION = 4;

export const CONTROLLER_FLAGS: readonly string[] = [`--max-semi-space-size=${YOUNG_GENERATION}`];
