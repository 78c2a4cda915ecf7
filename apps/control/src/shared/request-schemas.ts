import { z } from 'zod';
import { TENANT_PATTERN } from '#common/domain/identifiers.js';
import { line } from '#common/records/text-line.js';

/** A tenant's name. */
export const tenantSchema = z
  .string()
  .regex(TENANT_PATTERN, { error: 'must be 1 to 64 letters, digits, ".", "_" or "-"' });

/** An id in a path; the caller chooses some of them. */
export const idSchema = line(256);
