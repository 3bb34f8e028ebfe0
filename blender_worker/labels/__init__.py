"""What is said about a picture: label arrays, marks, the survey of the neutral one."""
