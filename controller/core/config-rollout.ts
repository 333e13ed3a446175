// Generated from crds/configrollouts.yaml by `make generate`.

/** What a person wants. The controller never changes it. */
export interface ConfigRolloutSpec {
  /** The workload that this is about, in the same namespace. It cannot be changed. */
  readonly workload: {
    /** The kind of the workload. */
    readonly kind: 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'Rollout';
    /** The name of the workload. */
    readonly name: string;
  };
  /** While true, no change of a ConfigMap or a Secret rolls out to the workload; what changed meanwhile rolls out, as one revision, once it is false again. Other changes of the workload go on. */
  readonly paused: boolean;
  /** How long, in seconds, the sources of the workload have to be quiet before they roll out: what is changed together rolls out together. Default: the controller's flag --settle. */
  readonly settleSeconds?: number | undefined;
  /** What to do when a rollout of config makes no progress within the workload's progressDeadlineSeconds. Keep: nothing, people decide. Rollback: go back, once, to the snapshots that ran before; the next change of a source rolls out again. StatefulSets and DaemonSets have no such deadline, and are always kept. */
  readonly onFailure: 'Keep' | 'Rollback';
  /** The least time between two rollouts of config, such as 30s, 10m or 2h: what changes meanwhile rolls out together at its end. Default: none. 24h at most. */
  readonly minInterval?: string | undefined;
}

/** What the controller sees. A view of the labels on the workload, which alone decide. */
export interface ConfigRolloutStatus {
  /** The generation of this object that the status speaks of. */
  readonly observedGeneration?: number | undefined;
  /** Ready: the workload runs with the config that it should run with. Progressing: a rollout of config goes on, or waits for its turn. Degraded: a rollout of config failed. */
  readonly conditions?:
    | readonly {
        readonly type: 'Ready' | 'Progressing' | 'Degraded';
        readonly status: 'True' | 'False' | 'Unknown';
        /** A constant, for programs. */
        readonly reason: string;
        /** For people. */
        readonly message: string;
        readonly observedGeneration?: number | undefined;
        /** When the status last changed. */
        readonly lastTransitionTime: string;
      }[]
    | undefined;
  /** The ConfigMaps and Secrets that roll out to the workload, by kind and name. */
  readonly sources?:
    | readonly {
        readonly kind: 'ConfigMap' | 'Secret';
        readonly name: string;
        /** The hash of its content now. */
        readonly hash?: string | undefined;
        /** The hash of the content that was rolled out last. */
        readonly rolledHash?: string | undefined;
        /** The snapshot that the workload's template mounts. */
        readonly snapshot?: string | undefined;
        /** Current: the template mounts its content of now. RolledBack: its content of now was rolled out, and the template went back since. Pending: its content of now is about to roll out. Paused: it waits until paused is false. Failed: the rollout of its content of now missed its deadline. */
        readonly state: 'Current' | 'RolledBack' | 'Pending' | 'Paused' | 'Failed';
      }[]
    | undefined;
  /** The last rollout of config. */
  readonly lastRollout?:
    | {
        /** When the controller first saw it. */
        readonly time: string;
        readonly outcome: 'Progressing' | 'Complete' | 'Failed' | 'RolledBack';
        /** What changed, as kubectl rollout history shows it; the names of keys only. */
        readonly cause?: string | undefined;
        /** What changed, by hash. */
        readonly sources: readonly {
          readonly kind: 'ConfigMap' | 'Secret';
          readonly name: string;
          /** The hash that ran before; missing for a first snapshot. */
          readonly from?: string | undefined;
          /** The hash that was rolled out. */
          readonly to: string;
        }[];
      }
    | undefined;
}
