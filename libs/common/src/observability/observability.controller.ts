import { Controller, Get, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { register } from 'prom-client';
import { NoKeyNeeded } from '../access/no-key-needed.js';
import { Health, type HealthReport } from './health.js';

/** `/metrics`, `/health/live` and `/health/ready` of every app; none of them asks for a key. */
@ApiExcludeController()
@NoKeyNeeded()
@Controller()
export class ObservabilityController {
  constructor(private readonly health: Health) {}

  @Get('metrics')
  async metrics(@Res() reply: FastifyReply): Promise<void> {
    const text = await register.metrics();
    await reply.type(register.contentType).send(text);
  }

  @Get('health/live')
  live(@Res() reply: FastifyReply): void {
    answer(reply, this.health.live());
  }

  @Get('health/ready')
  ready(@Res() reply: FastifyReply): void {
    answer(reply, this.health.ready());
  }
}

function answer(reply: FastifyReply, report: HealthReport): void {
  reply.status(report.status === 'ok' ? 200 : 503).send(report);
}
