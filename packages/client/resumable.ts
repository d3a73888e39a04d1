/** `sediment-client/resumable`: large bodies by TUS, which go on where they broke off. */
export { sendResumably } from "../../shared/uploader/send/send_tus.ts";
