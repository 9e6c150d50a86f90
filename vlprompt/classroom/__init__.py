"""For those who teach with the course: the students' copy, and the grading of what they hand in.

Both are nbgrader's work, from the same notebooks; this folder holds what it leaves to its users. `build` makes the copy
and `leaks` proves that it holds no solution; `handins` finds and reads what students hand in, `restore` puts the checks
back into it, `box` runs it with limits and without a network, `autograde` gives it to nbgrader, `marks` says what came
of it, and `grade` does all this for a folder. `export` makes pages of the lessons that need no kernel.
"""
