import { type CustomDecorator, SetMetadata } from '@nestjs/common';

/** Metadata of {@link NoKeyNeeded}. */
export const NO_KEY_NEEDED = 'posthorn:no-key-needed';

/** On a controller or a route: the route answers without an API key. Every other route of an app with `ApiKeyGuard` needs one. */
export const NoKeyNeeded = (): CustomDecorator => SetMetadata(NO_KEY_NEEDED, true);
