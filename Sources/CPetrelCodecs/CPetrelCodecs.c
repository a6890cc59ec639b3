#include "CPetrelCodecs.h"
