/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_BASE_NEAR_H
#define HV_BASE_NEAR_H

/*
 * "did you mean …": of the candidates offered one after the other, the one with the fewest typing
 * errors, if it is close enough to be meant. Begin with HV_NEAR(word); word outlives it.
 */
#define HV_NEAR_MAX 63 /* longer words, in bytes, are near nothing */

struct hv_near {
	const char *word;
	unsigned int least;	    /* errors of the best so far, 0 = none yet */
	char best[HV_NEAR_MAX + 1]; /* "" = nothing is near */
};
#define HV_NEAR(of) ((struct hv_near){ .word = (of) })

void hv_near_offer(struct hv_near *near, const char *candidate);

#endif
