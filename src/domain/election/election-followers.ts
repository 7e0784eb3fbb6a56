// Follows the elections that candidates of this gateway stand in: one watch and one state for all who stand in the same election, so
// that the cost of a change does not grow with the square of their number.

import { createView } from '../watch/view.ts';
import type { Watch } from '../watch/watch.ts';
import { electionRange } from './election-keys.ts';
import { ElectionView, isSameStanding, type Standing } from './election-state.ts';

/** What one who stands in an election knows of it. Disposing ends that. */
export interface Follower extends Disposable {
  readonly view: Pick<ElectionView, 'revision' | 'standingOf'>;
  /** Why nothing more comes to be known; undefined while it does. */
  readonly failure: unknown;
}

const CHECKPOINT_MS = 60_000;

/** The elections that are followed. */
export class ElectionFollowers {
  readonly #watch: Watch;
  readonly #followed = new Map<string, FollowedElection>();

  constructor(watch: Watch) {
    this.#watch = watch;
  }

  /** @param onNews called when the standing of `leaseId` changed, and on failure. It must neither throw nor wait. */
  follow(name: string, leaseId: bigint, onNews: () => void): Follower {
    const known = this.#followed.get(name);
    const election = known?.failure === undefined && known ? known : new FollowedElection(name, this.#watch);
    this.#followed.set(name, election);
    const { view } = election;
    const leave = election.join({ leaseId, onNews, standing: view.standingOf(leaseId) });
    return {
      view,
      get failure() {
        return election.failure;
      },
      [Symbol.dispose]: () => {
        leave();
        if (election.isLeft && this.#followed.get(name) === election) this.#followed.delete(name);
      },
    };
  }
}

interface Member {
  readonly leaseId: bigint;
  readonly onNews: () => void;
  /** As it was when it was told last. */
  standing: Standing | undefined;
}

/** Followed until the last member has left. */
class FollowedElection {
  readonly view: ElectionView;
  readonly #members = new Set<Member>();
  readonly #left = new AbortController();
  #failure: unknown;

  constructor(name: string, watch: Watch) {
    this.view = new ElectionView(name);
    void this.#run(name, watch);
  }

  get failure(): unknown {
    return this.#failure;
  }

  get isLeft(): boolean {
    return this.#left.signal.aborted;
  }

  join(member: Member): () => void {
    this.#members.add(member);
    return () => {
      this.#members.delete(member);
      if (this.#members.size === 0) this.#left.abort(new Error('nobody follows any more'));
    };
  }

  async #run(name: string, watch: Watch): Promise<void> {
    const query = {
      view: createView({ range: electionRange(name) }),
      start: { kind: 'now' },
      includeSnapshot: true,
      isKeysOnly: false,
      isCoalescing: false,
      checkpointIntervalMs: CHECKPOINT_MS,
    } as const;
    try {
      for await (const message of watch(query, this.#left)) {
        this.view.take(message);
        this.#tell();
      }
    } catch (error) {
      this.#failure = error;
      for (const { onNews } of this.#members) onNews();
    }
  }

  #tell(): void {
    for (const member of this.#members) {
      const standing = this.view.standingOf(member.leaseId);
      // Whether one has gone, or has not come yet, shows in the revision.
      if (standing?.kind !== 'none' && isSameStanding(standing, member.standing)) continue;
      member.standing = standing;
      member.onNews();
    }
  }
}
