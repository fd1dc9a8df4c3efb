#pragma once

/// Marks what libstratos.so offers to programs; everything else stays hidden.
#if defined(__GNUC__)
#define STRATOS_EXPORT __attribute__((visibility("default")))
#else
#define STRATOS_EXPORT
#endif
