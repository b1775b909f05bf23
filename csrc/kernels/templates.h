/* All templates, for the dtype that REAL_BITS chooses; instance.h includes this once for each. */
#undef MLP_ACTIVATIONS_TEMPLATE
#undef MLP_FUNCTIONS_TEMPLATE
#undef MLP_GEMM_TEMPLATE
#undef MLP_LOAD_TEMPLATE
#undef MLP_LOSSES_TEMPLATE
#undef MLP_NONZEROS_TEMPLATE
#undef MLP_NORMAL_TEMPLATE
#undef MLP_OUTPUTS_TEMPLATE
#undef MLP_COMPRESS_TEMPLATE
#undef MLP_PAIRS_TEMPLATE
#undef MLP_REAL_TEMPLATE
#undef MLP_ROWS_TEMPLATE
#undef MLP_ROW_PRODUCT_TEMPLATE
#undef MLP_RULES_TEMPLATE
#undef MLP_SOFTMAX_TEMPLATE
#undef MLP_SPARSE_TEMPLATE
#undef MLP_STRIPS_TEMPLATE
#undef MLP_SUMS_TEMPLATE
#undef MLP_TINY_TEMPLATE
#undef MLP_TUNING_TEMPLATE
#undef MLP_UPDATE_TEMPLATE
#undef MLP_VECTOR_TEMPLATE

/* Those that have kernels; they include the others. */
#include "kernels/activations.h"
#include "kernels/gemm.h"
#include "kernels/load.h"
#include "kernels/losses.h"
#include "kernels/nonzeros.h"
#include "kernels/outputs.h"
#include "kernels/row_product.h"
#include "kernels/rows.h"
#include "kernels/softmax.h"
#include "kernels/sparse.h"
#include "kernels/strips.h"
#include "kernels/sums.h"
#include "kernels/update.h"
