/* The values of the elements that dense rows may have: a function for each that the list
 * MLP_ELEMENTS names. */
#ifndef MLP_ELEMENTS_H
#define MLP_ELEMENTS_H

#include <stdbool.h>
#include <stdint.h>

#define mlp_plain(element) (element)
#define mlp_truth(element) ((element) != 0)

/* A float16's exponent moves by 112 to become a float's; its denormals need a multiplication, and
 * infinity and NaN the highest exponent. */
static inline float
mlp_half(uint16_t element)
{
    union {
        uint32_t bits;
        float value;
    } magnitude = {(uint32_t)(element & 0x7fff) << 13};
    bool is_finite = magnitude.bits < 0x7c00u << 13;
    magnitude.value *= 0x1p112f;
    magnitude.bits |= is_finite ? 0 : 0x7f800000u;
    magnitude.bits |= (uint32_t)(element & 0x8000) << 16;
    return magnitude.value;
}

#endif
