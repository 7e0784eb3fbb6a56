// One gRPC stream of etcd that renews leases. Etcd takes one request after the other, and answers each before the next
// (server/etcdserver/api/v3rpc/lease.go): so the answers come in the order of the requests, and one that ends the stream is the
// answer to the first request that had none.

import type { ILeaseKeepAliveResponse } from 'etcd3';
import type { KeepAliveCall } from '../member.ts';
import { Status, type StatusError } from '../status.ts';
import type { RenewedLease } from './renewal.ts';

/** What a stream tells its owner. */
export interface KeepAliveOwner {
  /** Etcd answered the request that is next in turn; a lease that is gone has a time to live of 0. */
  answered(lease: RenewedLease): void;
  /** The stream is over, and answers nothing more. */
  ended(error: StatusError): void;
}

/** A stream that renews whatever is written to it. */
export class KeepAliveStream {
  readonly #call: KeepAliveCall;
  #isOver = false;

  constructor(call: KeepAliveCall, owner: KeepAliveOwner) {
    this.#call = call;
    const end = (error: StatusError): void => {
      if (this.#isOver) return;
      this.close();
      owner.ended(error);
    };
    call.on('data', (response: ILeaseKeepAliveResponse) => {
      if (!this.#isOver) owner.answered(renewedLease(response));
    });
    call.on('error', end);
    call.on('end', () => end(ENDED));
  }

  write(leaseId: bigint): void {
    this.#call.write({ ID: String(leaseId) });
  }

  /** Ends the stream; its owner is told nothing more. */
  close(): void {
    this.#isOver = true;
    this.#call.cancel();
  }
}

const ENDED: StatusError = Object.assign(new Error('etcd ended the stream'), {
  code: Status.unavailable,
  details: 'etcd ended the stream',
});

function renewedLease({ ID, TTL, header }: ILeaseKeepAliveResponse): RenewedLease {
  return { leaseId: BigInt(ID), ttlSeconds: BigInt(TTL), revision: BigInt(header.revision) };
}
