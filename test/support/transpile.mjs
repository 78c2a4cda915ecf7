import { existsSync, readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { transformSync } from '@swc/core';

/*
 * Loader that lets a plain Node process import the sources: `node --import …/transpile.mjs`. A test can thus run them
 * in a separate process without a build.
 */

const COMMON = new URL('../../libs/common/src/', import.meta.url);

registerHooks({
  resolve(specifier, context, next) {
    const isCommon = specifier.startsWith('#common/');
    if (!isCommon && !specifier.startsWith('.')) return next(specifier, context);
    const target = isCommon
      ? new URL(specifier.slice('#common/'.length), COMMON)
      : new URL(specifier, context.parentURL);
    const source = fileURLToPath(target).replace(/\.js$/, '.ts');
    if (!source.endsWith('.ts') || !existsSync(source)) return next(specifier, context);
    return { url: pathToFileURL(source).href, format: 'module', shortCircuit: true };
  },
  load(url, context, next) {
    if (!url.endsWith('.ts')) return next(url, context);
    const { code } = transformSync(readFileSync(fileURLToPath(url), 'utf8'), {
      jsc: {
        target: 'es2024',
        parser: { syntax: 'typescript', decorators: true },
        // As jest.config.mjs: Nest injects by the types of constructor parameters.
        transform: { legacyDecorator: true, decoratorMetadata: true },
      },
      module: { type: 'es6' },
    });
    return { format: 'module', source: code, shortCircuit: true };
  },
});
