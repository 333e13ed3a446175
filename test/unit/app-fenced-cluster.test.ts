import { describe, expect, test } from '@jest/globals';
import { fenced } from '../../controller/app/fenced-cluster.ts';
import type { ClusterPort } from '../../controller/app/ports.ts';

/** A port that says only who was called. It has to be called as a method. */
class Recorder {
  readonly calls: string[] = [];
  readonly #name = 'read';

  async readSource(): Promise<undefined> {
    this.calls.push(`${this.#name}Source`);
  }

  async deleteExactly(): Promise<void> {
    this.calls.push('deleteExactly');
  }

  async writtenInTheFuture(): Promise<void> {
    this.calls.push('writtenInTheFuture');
  }
}

const TARGET = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'ns', name: 'foo', uid: '1' };

describe('behind the fence', () => {
  test('a leader reads and writes; who leads no more reads, and writes nothing, whatever the port learns to do', async () => {
    const recorder = new Recorder();
    let leads = true;
    const port = fenced(recorder as unknown as ClusterPort, () => leads);
    const future = port as unknown as Recorder;
    await port.readSource({ kind: 'ConfigMap', namespace: 'ns', name: 'foo' });
    await port.deleteExactly(TARGET, '1');
    await future.writtenInTheFuture();
    expect(recorder.calls.splice(0)).toEqual(['readSource', 'deleteExactly', 'writtenInTheFuture']);
    leads = false;
    await port.readSource({ kind: 'ConfigMap', namespace: 'ns', name: 'foo' });
    expect(() => port.deleteExactly(TARGET, '1')).toThrow('does not lead any more');
    expect(() => future.writtenInTheFuture()).toThrow('does not lead any more');
    expect(recorder.calls).toEqual(['readSource']);
  });
});
