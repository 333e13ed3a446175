// The npm packages that the bundles are made of, as npm itself lists them: CycloneDX.

import { execFileSync } from 'node:child_process';

const MOST_BYTES = 1 << 28;

interface Component {
  readonly 'bom-ref': string;
  readonly name: string;
  readonly properties: readonly { readonly name: string; readonly value: string }[];
}

/**
 * `name` is what the project is called: npm goes by the folder that it happens to lie in. And npm's --omit=dev leaves out
 * what both we and a tool depend on, so what is for development only is taken out here.
 */
export function sbom(name: string): string {
  const args = ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application'];
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const bill = JSON.parse(execFileSync('npm', args, { encoding: 'utf8', maxBuffer: MOST_BYTES, stdio: [...stdio] }));
  bill.metadata.component.name = name;
  bill.components = bill.components.filter((component: Component) => !isForDevelopment(component));
  const kept = new Set([bill.metadata.component, ...bill.components].map((component) => component['bom-ref']));
  bill.dependencies = bill.dependencies
    .filter(({ ref }: { ref: string }) => kept.has(ref))
    .map(({ ref, dependsOn }: { ref: string; dependsOn: string[] }) => {
      return { ref, dependsOn: dependsOn.filter((other) => kept.has(other)) };
    });
  return `${JSON.stringify(bill, null, 2)}\n`;
}

function isForDevelopment({ properties }: Component): boolean {
  return properties.some(({ name, value }) => name === 'cdx:npm:package:development' && value === 'true');
}
