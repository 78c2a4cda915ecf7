/** The version of package.json, which a test compares: reading the file at run time would depend on where the build is. */
export const VERSION = '0.2.0';
