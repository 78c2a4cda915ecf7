import type { Random } from '#common/domain/testing/random.js';
import type { AttemptResult, verdictOf } from '#common/domain/verdict.js';
import type { PostGroup } from '#common/http/post-group.js';
import type { Attempt, Attempter } from '../../apps/dispatcher/src/attempts/attempter.js';
import type { Delivery } from '../../apps/dispatcher/src/deliveries/delivery.js';
import type { Endpoint } from '../../apps/dispatcher/src/endpoints/unsealed-endpoint.js';
import type { EndpointBehaviour } from './endpoint-behaviour.js';
import type { Network } from './network.js';
import type { Host } from './virtual-time.js';

/** One request in flight, from the view of its process. */
export interface Flight {
  readonly host: Host;
  readonly delivery: Delivery;
  readonly endpoint: Endpoint['record'];
}

/** Observer of requests. */
export interface AttemptWitness {
  sending(flight: Flight): void;
  accepted(flight: Flight): void;
  /** Called when the process has the result, or gave up. */
  ended(flight: Flight, result: AttemptResult): void;
}

export interface AttemptSurroundings {
  readonly network: Network;
  readonly random: Random;
  readonly witness: AttemptWitness;
  /** The product's function, or one with a planted flaw. */
  readonly verdictOf: typeof verdictOf;
  readonly answerLost: number;
  behaviourOf(endpointId: string): EndpointBehaviour;
}

/** Makes attempts over a simulated network. The product's policy decides their verdicts. */
export class SimulatedAttempter implements Pick<Attempter, 'attempt'> {
  constructor(
    private readonly host: Host,
    private readonly around: AttemptSurroundings,
  ) {}

  async attempt(delivery: Delivery, endpoint: Endpoint, group: PostGroup): Promise<Attempt> {
    const { witness, random } = this.around;
    const at = Date.now();
    const flight = { host: this.host, delivery, endpoint: endpoint.record };
    witness.sending(flight);
    const result = await this.send(flight, group);
    witness.ended(flight, result);
    const verdict = this.around.verdictOf(result, {
      policy: endpoint.record.retry_policy,
      attempt: delivery.meta.attempt + 1,
      replay: delivery.meta.replay,
      nowMs: Date.now(),
      random: () => random.pick(1_000_000) / 1_000_000,
    });
    const facts = {
      at,
      durationMs: Math.max(0, Date.now() - at),
      statusCode: result.kind === 'response' ? result.status : undefined,
      error: result.kind === 'failure' ? result.error : undefined,
      errorDetail: undefined,
      responseBody: Buffer.alloc(0),
    };
    return { facts, verdict, isOurFault: false };
  }

  private send(flight: Flight, group: PostGroup): Promise<AttemptResult> {
    const { time } = this.around.network;
    return new Promise((resolve) => {
      const timeout = time.timer(() => end({ kind: 'failure', error: 'timeout' }), flight.endpoint.timeout_ms, false);
      const post = { bagIndex: 0, abort: () => end({ kind: 'failure', error: 'aborted' }) };
      const end = (result: AttemptResult) => {
        timeout.isCancelled = true;
        group.delete(post);
        resolve(result);
      };
      if (group.isAborted) return post.abort();
      group.add(post);
      time.after(this.around.network.latencyMs(), () => this.arrive(flight, end));
    });
  }

  /** Runs at the endpoint: a request that was sent arrives, also after the death of its process. */
  private arrive(flight: Flight, end: (result: AttemptResult) => void): void {
    const { network, witness, answerLost, behaviourOf } = this.around;
    const { time } = network;
    const reaction = behaviourOf(flight.endpoint.id).react(time.now, network.isFaulty ? answerLost : 0);
    if (reaction.kind === 'hangs') return;
    const accepts = reaction.kind === 'answers' ? reaction.status < 300 : reaction.accepts;
    if (accepts) witness.accepted(flight);
    const result: AttemptResult =
      reaction.kind === 'answers'
        ? { kind: 'response', status: reaction.status, retryAfter: reaction.retryAfter }
        : { kind: 'failure', error: reaction.error };
    time.after(reaction.afterMs, () => end(result), flight.host);
  }
}
