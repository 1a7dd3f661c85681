// What a reviewer has open, told to the server as long as it is, so that two need not do the same: who else has which case
// or form open.

import { useEffect, useState } from "../vendor/hooks.js";
import { post } from "./api.js";
import { reviewer } from "./review.js";

/** The server forgets what is not told again for 45 seconds. */
const TELL_MS = 15_000;

/** @typedef {{open: any[], forms?: any[]}} Others */

/**
 * Tells what is open here, and what others have open.
 * @param {Record<string, any> | null} opened `{alert}` or `{form}`; `{}`: no alert; null: nothing is told
 * @param {{open: boolean} | undefined} me @returns {Others}
 */
export function useOpened(opened, me) {
  const [others, setOthers] = useState(/** @type {Others} */ ({ open: [] }));
  const by = me?.open ? reviewer() : null;
  const isNamed = me !== undefined && by !== "";
  const key = JSON.stringify(opened);
  useEffect(() => {
    if (!isNamed || opened === null) {
      return undefined;
    }
    let isShown = true;
    const tell = async () => {
      try {
        const told = await post("/v1/reviews/open", { ...opened, ...(by ? { by } : {}) });
        if (isShown) {
          setOthers(told);
        }
      } catch {
        // Who else is here is told again soon.
      }
    };
    tell();
    const timer = setInterval(tell, TELL_MS);
    return () => {
      isShown = false;
      clearInterval(timer);
      if (opened.form) {
        post("/v1/reviews/open", { form: { ...opened.form, close: true }, ...(by ? { by } : {}) }).catch(() => {});
      }
    };
  }, [key, by, isNamed]);
  return others;
}
