/** The version of the client: of the packages, of `sediment --version`, and of the section in CHANGELOG.md. */
export const version = "0.1.0";
