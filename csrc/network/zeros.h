/* Whether rows are mostly zeros, so that to skip these is faster than to multiply them. */
#ifndef MLP_ZEROS_H
#define MLP_ZEROS_H

#include "kernels/data.h"

/* Told from a sample of the pairs of the data's rows, which are dense, which takes about a
 * microsecond. Rows whose elements do not follow each other are never scanned: that takes longer
 * than to multiply them. */
bool mlp_are_mostly_zero(const mlp_data *data);

#endif
