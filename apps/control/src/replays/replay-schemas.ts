import { z } from 'zod';

export const retriedSchema = z.object({
  delivery_id: z.string(),
  replay: z.number().describe('the life that begins'),
});
