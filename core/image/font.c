/*
** The plots' typeface, DejaVu Sans regular and bold, carried inside the module so that a finished
** build needs no font file. PL_FONT_DIR is the folder that holds the two at build time.
*/
#ifndef PL_FONT_DIR
#define PL_FONT_DIR "/usr/share/fonts/truetype/dejavu"
#endif

#ifdef __APPLE__
#define SECTION ".const\n"
#define NAME(name) "_" name
#define HIDDEN ".private_extern "
#define BACK ".text\n"
#else
#define SECTION ".section .rodata\n"
#define NAME(name) name
#define HIDDEN ".hidden "
#define BACK ".text\n"
#endif

#define EMBED(name, file)                                                                          \
  __asm__(SECTION ".balign 16\n.globl " NAME(name) "\n" HIDDEN NAME(name) "\n" NAME(               \
      name) ":\n.incbin \"" PL_FONT_DIR "/" file "\"\n" BACK)

EMBED("pl_font_regular", "DejaVuSans.ttf");
EMBED("pl_font_bold", "DejaVuSans-Bold.ttf");
