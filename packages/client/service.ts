/** `sediment-client/service`: a service that acts for users by a secret key. Never for a browser. */
export { serviceSession } from "../../shared/uploader/session/service_session.ts";
