/* version.h - the library's version. */
#ifndef ELBOW_VERSION_H
#define ELBOW_VERSION_H

#define ELBOW_VERSION_MAJOR 0
#define ELBOW_VERSION_MINOR 1
#define ELBOW_VERSION_PATCH 0
#define ELBOW_VERSION "0.1.0"

#endif
