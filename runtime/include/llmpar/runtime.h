/*===- runtime.h - The C API of llmpar's runtime ---------------------------===*
 *
 * Opens a program file, puts it on devices and runs it:
 *
 *   llmpar_rt_program *program;
 *   if (llmpar_rt_program_open("model.llmpar", &program))
 *     return fprintf(stderr, "%s\n", llmpar_rt_last_error()), 1;
 *   llmpar_rt_options options = {.device = "cpu", .weights_directory = "models"};
 *   llmpar_rt_instance *instance;
 *   llmpar_rt_instance_create(program, &options, &instance);
 *   const void *inputs[] = {tokens};
 *   void *outputs[] = {logits};
 *   llmpar_rt_run(instance, inputs, 1, outputs, 1);
 *   llmpar_rt_instance_destroy(instance);
 *   llmpar_rt_program_close(program);
 *
 * Every function that returns `llmpar_rt_code` leaves a message for `llmpar_rt_last_error`
 * if it fails. No function throws or exits. Programs are immutable and may be shared by
 * threads; an instance is used by one thread at a time.
 *
 *===----------------------------------------------------------------------===*/
#ifndef LLMPAR_RUNTIME_H
#define LLMPAR_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define LLMPAR_RT_API __attribute__((visibility("default")))
#else
#define LLMPAR_RT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Result of a call; tools use the same numbers as exit codes. */
typedef enum llmpar_rt_code {
  LLMPAR_RT_OK = 0,
  LLMPAR_RT_INVALID = 1,      /**< a bad program file, weight file, argument or value of data */
  LLMPAR_RT_DOES_NOT_FIT = 4, /**< not enough memory */
  LLMPAR_RT_DEVICE = 5,       /**< a device or a peer failed */
  LLMPAR_RT_INTERNAL = 70     /**< a bug of the runtime */
} llmpar_rt_code;

/** A program file, checked. */
typedef struct llmpar_rt_program llmpar_rt_program;
/** A program on devices, with its weights loaded. */
typedef struct llmpar_rt_instance llmpar_rt_instance;

/** Message of this thread's last failed call; "" if none failed. Valid until its next failing call. */
LLMPAR_RT_API const char *llmpar_rt_last_error(void);

/** Devices that `llmpar_rt_options.device` may name, separated by spaces. */
LLMPAR_RT_API const char *llmpar_rt_device_names(void);

/*===- Programs ------------------------------------------------------------===*/

/** Maps and checks the file at `path`. */
LLMPAR_RT_API llmpar_rt_code llmpar_rt_program_open(const char *path, llmpar_rt_program **program);

/** Checks `size` bytes of a program file in memory; they are copied. */
LLMPAR_RT_API llmpar_rt_code llmpar_rt_program_open_memory(const void *bytes, size_t size, llmpar_rt_program **program);

/** Instances of it stay usable. Null is fine. */
LLMPAR_RT_API void llmpar_rt_program_close(llmpar_rt_program *program);

/** A global (unsharded) input or output. Pointers live as long as the program. */
typedef struct llmpar_rt_tensor {
  const char *name;
  const char *dtype;    /**< MLIR spelling: f32 f64 f16 bf16 i8 i16 i32 i64 ui8 ui16 ui32 ui64 i1 */
  int dtype_code;       /**< its position in Abi/DTypes.def */
  int rank;             /**< number of dimensions, 0 for a scalar */
  const int64_t *shape; /**< `rank` extents */
  size_t bytes;         /**< of the dense row-major array */
} llmpar_rt_tensor;

LLMPAR_RT_API size_t llmpar_rt_input_count(const llmpar_rt_program *program);
LLMPAR_RT_API size_t llmpar_rt_output_count(const llmpar_rt_program *program);
/** Describes input `index`; LLMPAR_RT_INVALID if there is none. */
LLMPAR_RT_API llmpar_rt_code llmpar_rt_input(const llmpar_rt_program *program, size_t index, llmpar_rt_tensor *tensor);
/** Describes output `index`; LLMPAR_RT_INVALID if there is none. */
LLMPAR_RT_API llmpar_rt_code llmpar_rt_output(const llmpar_rt_program *program, size_t index, llmpar_rt_tensor *tensor);

/** States: tensors that every step reads and gives new values, such as the weights of a training step. */
LLMPAR_RT_API size_t llmpar_rt_state_count(const llmpar_rt_program *program);
/** Describes state `index`; LLMPAR_RT_INVALID if there is none. */
LLMPAR_RT_API llmpar_rt_code llmpar_rt_state(const llmpar_rt_program *program, size_t index, llmpar_rt_tensor *tensor);

/** Number of ranks (devices) that the program was compiled for. */
LLMPAR_RT_API uint32_t llmpar_rt_rank_count(const llmpar_rt_program *program);
/** Global tensors of a program. */
typedef enum llmpar_rt_kind { LLMPAR_RT_INPUT = 0, LLMPAR_RT_OUTPUT = 1, LLMPAR_RT_STATE = 2 } llmpar_rt_kind;

/** What a rank holds of a global tensor: the box [starts, starts + shape). Ranks with the same box are replicas. */
typedef struct llmpar_rt_part {
  size_t tensor;         /**< index of the input, output or state */
  int rank;              /**< number of dimensions */
  const int64_t *starts; /**< live as long as the program, like `shape` */
  const int64_t *shape;
  size_t bytes;          /**< of the dense row-major array */
} llmpar_rt_part;

/** Number of parts of inputs, outputs or states that rank `rank` holds; 0 for a rank that does not exist. */
LLMPAR_RT_API size_t llmpar_rt_part_count(const llmpar_rt_program *program, llmpar_rt_kind kind, uint32_t rank);
/** Describes part `index`; LLMPAR_RT_INVALID if there is none. */
LLMPAR_RT_API llmpar_rt_code llmpar_rt_get_part(const llmpar_rt_program *program, llmpar_rt_kind kind, uint32_t rank,
                                                size_t index, llmpar_rt_part *part);

/** Number of mesh axes; the first one is the outermost. */
LLMPAR_RT_API size_t llmpar_rt_mesh_axis_count(const llmpar_rt_program *program);
/** Name and size of mesh axis `index`; LLMPAR_RT_INVALID if there is none. */
LLMPAR_RT_API llmpar_rt_code llmpar_rt_mesh_axis(const llmpar_rt_program *program, size_t index, const char **name,
                                                 uint32_t *size);

/** What the compiler wrote about itself. "" if it wrote nothing. */
LLMPAR_RT_API const char *llmpar_rt_program_compiler(const llmpar_rt_program *program);
LLMPAR_RT_API const char *llmpar_rt_program_model(const llmpar_rt_program *program);
LLMPAR_RT_API const char *llmpar_rt_program_layout(const llmpar_rt_program *program);

/*===- Instances -----------------------------------------------------------===*/

/** Zero or null members mean the default. */
typedef struct llmpar_rt_options {
  const char *device;            /**< "cpu" (default), "reference" or "trace" */
  const char *weights_directory; /**< where relative weight files are; default: the working directory */
  int no_pinning;                /**< 1: threads may move between cores */
  int profile;                   /**< 1: time every record */
  const char *lanes;             /**< "inline": a rank's records run in file order on one thread; "threads": on one
                                  *   for each lane (compute, communication); "auto" (default): the latter if records
                                  *   may overlap and there are two cores for each rank. Results are the same. */
} llmpar_rt_options;

/** Allocates memory, loads every rank's part of the weights and runs `init`. `options` may be null. */
LLMPAR_RT_API llmpar_rt_code llmpar_rt_instance_create(const llmpar_rt_program *program,
                                                       const llmpar_rt_options *options,
                                                       llmpar_rt_instance **instance);

/** Ends its threads and frees its memory. Null is fine. */
LLMPAR_RT_API void llmpar_rt_instance_destroy(llmpar_rt_instance *instance);

/** One step. The arrays are dense, row-major and of the sizes that `llmpar_rt_input` and
 *  `llmpar_rt_output` tell; elements of i1 are bytes 0 or 1. An output may be an input array.
 *  After a failure outputs are unspecified and the instance may be used again. */
LLMPAR_RT_API llmpar_rt_code llmpar_rt_run(llmpar_rt_instance *instance, const void *const *inputs, size_t input_count,
                                           void *const *outputs, size_t output_count);

/** Copies states out of the instance, or into it, between steps: one dense, row-major array for each; null: not
 *  this one. */
LLMPAR_RT_API llmpar_rt_code llmpar_rt_read_states(llmpar_rt_instance *instance, void *const *states, size_t count);
LLMPAR_RT_API llmpar_rt_code llmpar_rt_write_states(llmpar_rt_instance *instance, const void *const *states,
                                                    size_t count);
/** Copies one part of the states, of those that `llmpar_rt_get_part` tells, out of the instance. */
LLMPAR_RT_API llmpar_rt_code llmpar_rt_read_state_part(llmpar_rt_instance *instance, uint32_t rank, size_t index,
                                                       void *data);

/** Sums over all ranks. */
typedef struct llmpar_rt_stats {
  uint64_t steps;               /**< that succeeded */
  double set_up_seconds;        /**< loading and `init` */
  double last_step_seconds;
  double total_seconds;         /**< of all steps */
  uint64_t bytes_sent_per_step; /**< by collectives, counted for bandwidth-optimal algorithms */
  uint64_t weights_bytes, activations_bytes, staging_bytes; /**< arenas */
  uint64_t packed_bytes;        /**< weights in a layout of the device's own */
  uint64_t peak_bytes;          /**< while setting up */
  uint64_t resident_bytes;      /**< afterwards */
  uint32_t threads;             /**< that run records: one for each rank, or for each lane of each rank */
} llmpar_rt_stats;

LLMPAR_RT_API void llmpar_rt_get_stats(const llmpar_rt_instance *instance, llmpar_rt_stats *stats);

/** One record of `main` of one rank. Strings live as long as the instance. */
typedef struct llmpar_rt_profile_entry {
  const char *kernel;      /**< its name in Kernels.def */
  char location[128];      /**< where in the model it comes from, cut at 127 bytes; "" if unknown */
  uint64_t calls;          /**< while profiling was on */
  double seconds;          /**< of all calls */
  double flops, bytes;     /**< of one call, as the compiler predicted */
} llmpar_rt_profile_entry;

/** Turns timing of records on (1) or off (0); may change between steps. */
LLMPAR_RT_API void llmpar_rt_set_profile(llmpar_rt_instance *instance, int on);
/** Number of records that rank `rank` runs per step; 0 for a rank that does not exist. */
LLMPAR_RT_API size_t llmpar_rt_profile_count(const llmpar_rt_instance *instance, uint32_t rank);
/** Entry `index` of rank `rank`, in order of execution; LLMPAR_RT_INVALID if there is none. */
LLMPAR_RT_API llmpar_rt_code llmpar_rt_profile(const llmpar_rt_instance *instance, uint32_t rank, size_t index,
                                               llmpar_rt_profile_entry *entry);

#ifdef __cplusplus
}
#endif

#endif /* LLMPAR_RUNTIME_H */
