import type { Log, Starter } from './starter.ts';
export async function k3sImage(_log: Log): Promise<string | undefined> {
  return undefined;
}
export async function startK3s(_s: Starter, _image: string): Promise<void> {}
export async function removeK3s(_id: string): Promise<void> {}
